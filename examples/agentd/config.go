package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

const maxConfig = 1 << 20 // bytes

// A member is how a member of the configuration file is read.
type member func(s *settings, value json.RawMessage) error

// members are all of them.
func members() map[string]member {
	type all = *settings
	return map[string]member{
		"ip":                 nil, // read together
		"port":               nil,
		"listen":             into(func(s all) *string { return &s.listening.Address }),
		"web-threads":        readWebThreads,
		"capacity_overrides": readCapacity,
		"dir":                into(func(s all) *string { return &s.agent.Dir }),
		"ephemeral":          into(func(s all) *bool { return &s.agent.Ephemeral }),
		"token_file":         into(func(s all) *string { return &s.agent.Auth.TokenFile }),
		"tls":                readTLS,
		"certificates":       readCertificates,
		"insecure_loopback":  into(func(s all) *bool { return &s.agent.Auth.InsecureLoopback }),
		"hosts":              into(func(s all) *[]string { return &s.agent.Hosts }),
		"node":               into(func(s all) *string { return &s.agent.Node }),
		"limits":             readLimits,
		"allow_root":         into(func(s all) *bool { return &s.agent.AllowRoot }),
	}
}

// into is a member that is stored as it is.
func into[T any](field func(s *settings) *T) member {
	return func(s *settings, value json.RawMessage) error {
		return decode(value, field(s))
	}
}

func decode(value json.RawMessage, to any) error {
	err := json.Unmarshal(value, to)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("want a %v, got a %s", wrong.Type, wrong.Value)
	}
	if err == nil && string(value) == "null" {
		return errors.New("it is null: leave it out instead")
	}
	return err
}

// read reads a configuration file. The error has everything that is wrong with it.
func (s *settings) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return err
	}
	if len(data) > maxConfig {
		return fmt.Errorf("%s is longer than %d bytes", path, maxConfig)
	}
	var errs *multierror.Error
	for _, problem := range s.parse(data) {
		errs = multierror.Append(errs, fmt.Errorf("%s: %w", path, problem))
	}
	return errs.ErrorOrNil()
}

func (s *settings) parse(data []byte) []error {
	known := members()
	object, errs := readMembers(data, slices.Sorted(maps.Keys(known)),
		func(name string, value json.RawMessage) error {
			if read := known[name]; read != nil {
				return read(s, value)
			}
			return nil
		})
	if err := s.readAddress(object); err != nil {
		errs = append(errs, err)
	}
	return errs
}

// within says where each of the problems is.
func within(name string, err error) []error {
	var all []error
	for _, one := range problems(err) {
		all = append(all, fmt.Errorf("%q: %w", name, one))
	}
	return all
}

// readMembers has the members of an object read, one after another. known is as in
// readObject.
func readMembers(
	data []byte, known []string, read func(name string, value json.RawMessage) error,
) (map[string]json.RawMessage, []error) {
	object, errs := readObject(data, known)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if err := read(name, object[name]); err != nil {
			errs = append(errs, within(name, err)...)
		}
	}
	return object, errs
}

// readObject takes an object apart. Members that are there twice or not known are
// problems, on whatever line; nil knows all.
func readObject(data []byte, known []string) (map[string]json.RawMessage, []error) {
	object := map[string]json.RawMessage{}
	var errs []error
	d := json.NewDecoder(bytes.NewReader(data))
	line := func() int { return 1 + bytes.Count(data[:d.InputOffset()], []byte("\n")) }
	token, err := d.Token()
	if err == nil && token != json.Delim('{') {
		return nil, []error{fmt.Errorf("line %d: want an object, in braces", line())}
	}
	for err == nil && d.More() {
		if token, err = d.Token(); err != nil {
			break
		}
		name, _ := token.(string) // what else a member begins with is a syntax error
		at := line()
		var value json.RawMessage
		if err = d.Decode(&value); err != nil {
			break
		}
		switch _, twice := object[name]; {
		case known != nil && !slices.Contains(known, name):
			errs = append(errs, fmt.Errorf("line %d: unknown member %q%s", at, name,
				didYouMean(name, known)))
		case twice:
			errs = append(errs, fmt.Errorf("line %d: member %q is there twice", at, name))
		default:
			object[name] = value
		}
	}
	if err == nil {
		_, err = d.Token() // the brace
	}
	if err != nil {
		return nil, append(errs, fmt.Errorf("line %d: not JSON: %w", line(), err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		errs = append(errs, fmt.Errorf("line %d: something follows the object", line()))
	}
	return object, errs
}

func didYouMean(name string, known []string) string {
	if near := dag.Nearest(name, known); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ""
}

// readAddress reads where to listen.
func (s *settings) readAddress(object map[string]json.RawMessage) error {
	ip, port := defaultIP, defaultPort
	_, hasIP := object["ip"]
	_, hasPort := object["port"]
	if !hasIP && !hasPort {
		return nil
	}
	if _, both := object["listen"]; both {
		return errors.New(`"listen" is instead of "ip" and "port", not beside them`)
	}
	if hasIP {
		if err := decode(object["ip"], &ip); err != nil {
			return fmt.Errorf(`"ip": %w`, err)
		}
	}
	if hasPort {
		var n int
		if err := decode(object["port"], &n); err != nil {
			return fmt.Errorf(`"port": %w`, err)
		}
		if n < 0 || n > 65535 {
			return fmt.Errorf(`"port": %d is no port`, n)
		}
		port = strconv.Itoa(n)
	}
	s.listening.Address = net.JoinHostPort(ip, port)
	return nil
}

func readWebThreads(s *settings, value json.RawMessage) error {
	var n int
	if err := decode(value, &n); err != nil {
		return err
	}
	s.notes = append(s.notes, "web-threads has no meaning here: each request has its own goroutine")
	return nil
}

func readLimits(s *settings, value json.RawMessage) error {
	var mode string
	if err := decode(value, &mode); err != nil {
		return err
	}
	return s.setLimits(mode)
}

func readCapacity(s *settings, value json.RawMessage) error {
	_, all := readMembers(value, nil, func(name string, value json.RawMessage) error {
		var amount int64
		if err := decode(value, &amount); err != nil {
			return err
		}
		return s.setCapacity(name, amount)
	})
	return together(all)
}

// resource returns the name of a resource, which the original spelt otherwise. A
// name that is nearly one of those that everybody has is a mistake and not a
// resource of one's own.
func resource(name string) (string, error) {
	known := []string{dag.Cores, dag.MemoryMB, dag.GPUs}
	switch {
	case name == "memory_mb":
		return dag.MemoryMB, nil
	case name == "":
		return "", errors.New("a resource has a name")
	case slices.Contains(known, name):
		return name, nil
	}
	if near := dag.Nearest(name, known); near != "" {
		return "", fmt.Errorf("%q is no resource, did you mean %q?", name, near)
	}
	return name, nil
}

func readTLS(s *settings, value json.RawMessage) error {
	files := map[string]*string{
		"cert":      &s.listening.TLS.CertFile,
		"key":       &s.listening.TLS.KeyFile,
		"client_ca": &s.listening.TLS.ClientCAFile,
	}
	_, all := readMembers(value, slices.Sorted(maps.Keys(files)),
		func(name string, value json.RawMessage) error { return decode(value, files[name]) })
	return together(all)
}

func readCertificates(s *settings, value json.RawMessage) error {
	_, all := readMembers(value, nil, func(name string, value json.RawMessage) error {
		var role string
		if err := decode(value, &role); err != nil {
			return err
		}
		return s.setCertificate(name, role)
	})
	return together(all)
}

func together(all []error) error {
	var errs *multierror.Error
	errs = multierror.Append(errs, all...)
	return errs.ErrorOrNil()
}
