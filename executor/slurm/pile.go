package slurm

import (
	"fmt"
	"slices"
	"time"
)

// A pile is what waits to be submitted together.
type pile struct {
	items []*item // not empty
}

// due takes off what is to be submitted next: a single item, or those of one
// group. Nil: nothing is, for that time.
func (k *keeper) due(busy bool) ([]*item, time.Duration) {
	const idle = time.Hour // a kick comes first
	c := &k.e.config
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	size := min(c.ArraySize, defaultMaxArray)
	if k.cluster.MaxArray > 0 {
		size = min(c.ArraySize, k.cluster.MaxArray)
	}
	if k.most > 0 {
		size = min(size, k.most)
	}
	room := size
	if c.MaxQueued > 0 {
		room = c.MaxQueued - k.inQueue
	}
	size = min(size, room)
	switch {
	case busy || len(k.piles) == 0:
		return nil, idle
	case size <= 0:
		k.say(fmt.Sprintf("there are %d jobs in the queue, the most that there may be"+
			" (Config.MaxQueued)", k.inQueue))
		return nil, idle
	}
	if until := later(k.pause, k.next); until.After(now) {
		return nil, until.Sub(now)
	}
	soonest := idle
	for i, p := range k.piles {
		if wait := p.wait(now, size, c.ArrayWait); wait > 0 {
			soonest = min(soonest, wait)
			continue
		}
		if len(p.items) < size && k.underway[p.items[0].group] > 0 {
			continue // as slow as sbatch is, as many go together next
		}
		if wait := k.hold(p, room).Sub(now); wait > 0 {
			soonest = min(soonest, wait)
			continue
		}
		batch := p.items[:min(size, len(p.items))]
		p.items = p.items[len(batch):]
		if len(p.items) == 0 {
			k.piles = slices.Delete(k.piles, i, i+1)
			delete(k.byGroup, batch[0].group)
		}
		if group := batch[0].group; group != "" {
			k.underway[group]++
		}
		k.takeOff(batch, now)
		return batch, 0
	}
	return nil, soonest
}

// hold says until when the room that there is in the queue is kept for more of it, so
// that the end of each job is not followed by an array of one: until a quarter of all
// of it is free, or an interval is over.
func (k *keeper) hold(p *pile, room int) time.Time {
	grouped := p.items[0].group != ""
	if grouped && len(p.items) > room && room < k.e.config.MaxQueued/4 {
		return k.full.Add(k.e.config.Interval)
	}
	return time.Time{}
}

// wait says for how long it is worth waiting for more. The last one to come
// decides: while more come, more will.
func (p *pile) wait(now time.Time, size int, wait time.Duration) time.Duration {
	if len(p.items) >= size || p.items[0].group == "" {
		return 0
	}
	last := p.items[len(p.items)-1].arrived.Add(wait)
	most := p.items[0].arrived.Add(10 * wait)
	if most.Before(last) {
		last = most
	}
	return last.Sub(now)
}

// landed notes that a submission of a group is over, and has the next one begin.
func (k *keeper) landed(group string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.underway[group]--; k.underway[group] <= 0 {
		delete(k.underway, group)
	}
	if k.session != nil {
		poke(k.session.submit)
	}
}

// push puts an item at the end of what is to be submitted, with mu held.
func (k *keeper) push(it *item) {
	it.stage = queued
	it.arrived = time.Now()
	if it.group != "" && k.underway[it.group] > 0 {
		it.text = "others of its task are being submitted"
	}
	if p := k.byGroup[it.group]; p != nil && it.group != "" {
		p.items = append(p.items, it)
		return
	}
	p := &pile{items: []*item{it}}
	k.piles = append(k.piles, p)
	if it.group != "" {
		k.byGroup[it.group] = p
	}
}

// withdraw takes an item off what is to be submitted, with mu held.
func (k *keeper) withdraw(it *item) {
	for i, p := range k.piles {
		if p.items[0].group != it.group {
			continue
		}
		j := slices.Index(p.items, it)
		if j < 0 {
			continue
		}
		if p.items = slices.Delete(p.items, j, j+1); len(p.items) == 0 {
			k.piles = slices.Delete(k.piles, i, i+1)
			delete(k.byGroup, it.group)
		}
		return
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// say gives what is queued a reason to wait, with mu held.
func (k *keeper) say(text string) {
	for _, p := range k.piles {
		for _, it := range p.items {
			if it.text != text {
				it.text = text
				it.wake()
			}
		}
	}
}

// takeOff marks what is being submitted, with mu held.
func (k *keeper) takeOff(batch []*item, now time.Time) {
	for _, it := range batch {
		it.stage = submitting
		it.text = ""
	}
	if k.inQueue += len(batch); k.inQueue >= k.e.config.MaxQueued {
		k.full = now
	}
	if rate := k.e.config.SubmitRate; rate > 0 {
		// Unused time is good for a few at once, not more.
		from := later(k.next, now.Add(-submitters*time.Second/time.Duration(rate)))
		k.next = from.Add(time.Second / time.Duration(rate))
	}
}
