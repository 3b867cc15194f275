package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/daggy-go/daggy/executor/remote/agent"
)

// endPatience is how long the end of the daemon waits for its journal and for what
// has to be stopped, apart from the grace time of that.
const endPatience = 30 * time.Second

// serve runs the daemon until it is told to end.
func serve(ctx context.Context, s *settings, log *slog.Logger) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	defer signal.Stop(signals)
	for _, note := range s.notes {
		log.Warn("configuration", slog.String("note", note))
	}
	sd, err := fromSystemd()
	if err != nil {
		return err
	}
	s.agent.Logger = log
	a, err := agent.New(ctx, s.agent)
	if err != nil {
		return errors.Join(err, sd.close())
	}
	d := &daemon{settings: s, agent: a, systemd: sd, log: log, signals: signals}
	return d.run(ctx)
}

// A daemon is an agent that listens.
type daemon struct {
	*settings
	agent   *agent.Agent
	systemd *systemd
	log     *slog.Logger
	signals <-chan os.Signal
}

func (d *daemon) run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	served := make(chan error, 1)
	go func() { served <- d.listen(serving) }()
	for {
		select {
		case err := <-served:
			return errors.Join(err, d.end(ctx))
		case s := <-d.signals:
			if s == syscall.SIGHUP {
				d.reload()
				continue
			}
			d.log.Info("told to end", slog.String("signal", s.String()))
			d.systemd.say("STOPPING=1")
			d.drainFor(ctx)
			err := d.end(ctx)
			stopServing()
			return errors.Join(err, <-served)
		}
	}
}

// listen answers requests, on the socket of systemd if there is one and no address
// was given.
func (d *daemon) listen(ctx context.Context) error {
	ready := func(address string) {
		d.log.Info("listening", slog.String("address", address))
		d.systemd.say("READY=1\nSTATUS=listening on " + address)
	}
	if d.systemd.socket != nil && d.listening.Address == "" {
		l, err := d.agent.Guard().Adopt(d.systemd.socket, d.listening)
		if err != nil {
			return errors.Join(err, d.systemd.close())
		}
		return d.agent.ServeListener(ctx, l, ready)
	}
	if err := d.systemd.close(); err != nil {
		return err
	}
	if d.listening.Address == "" {
		d.listening.Address = defaultAddress
	}
	return d.agent.Serve(ctx, d.listening, ready)
}

func (d *daemon) reload() {
	if err := d.agent.Guard().Reload(); err != nil {
		d.log.Error("the token file cannot be read again, the tokens from before stay valid",
			slog.Any("err", err))
	} else {
		d.log.Info("the token file was read again")
	}
}

// drainFor waits for what runs, for a while or until another signal comes.
func (d *daemon) drainFor(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.drain)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- d.agent.Drain(ctx) }()
	for {
		select {
		case err := <-drained:
			if err != nil && d.drain > 0 {
				d.log.Warn("not everything has ended", slog.Any("err", err))
			}
			return
		case s := <-d.signals:
			if s != syscall.SIGHUP {
				d.log.Info("told again to end", slog.String("signal", s.String()))
				cancel()
			}
		}
	}
}

// end ends the agent. What outlives it goes on, everything else is stopped.
func (d *daemon) end(ctx context.Context) error {
	grace := d.settings.agent.Grace
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endPatience+grace)
	defer cancel()
	if err := d.agent.Shutdown(ctx); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	d.log.Info("ended")
	return nil
}
