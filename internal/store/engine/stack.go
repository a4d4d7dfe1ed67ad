package engine

import "sync"

// stack lends what it holds to one borrower each, the last that came back first: few borrowers use few connections, which
// have at hand what was just read. Whoever took a turn pops one.
type stack[T any] struct {
	turns chan struct{}
	mu    sync.Mutex
	free  []T
}

func newStack[T any](size int) *stack[T] { return &stack[T]{turns: make(chan struct{}, size)} }

func (s *stack[T]) push(v T) {
	s.mu.Lock()
	s.free = append(s.free, v)
	s.mu.Unlock()
	s.turns <- struct{}{}
}

func (s *stack[T]) pop() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	v := s.free[last]
	s.free = s.free[:last]
	return v
}
