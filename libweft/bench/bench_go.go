// bench_go.go: the same rows by Go.
//
// What:  bench_go [tree | memory | echo PORT]; without an argument the small rows.
// Idea:  the M:N runtime that everybody knows; GOMAXPROCS is its number of workers.
// See:   bench_weft.c for what the rows mean, run.py for how they are put side by side.

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"time"
)

func fibPlain(n int) int {
	if n < 2 {
		return n
	}
	return fibPlain(n-1) + fibPlain(n-2)
}

func fib(n int) int {
	if n < 12 {
		return fibPlain(n)
	}
	c := make(chan int, 1)
	go func() { c <- fib(n - 1) }()
	r := fib(n - 2)
	return r + <-c
}

func echo(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		panic(err)
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			b := make([]byte, 4096)
			for {
				n, err := c.Read(b)
				if n > 0 {
					c.Write(b[:n])
				}
				if err == io.EOF || err != nil {
					c.Close()
					return
				}
			}
		}()
	}
}

func main() {
	if len(os.Args) > 2 && os.Args[1] == "echo" {
		echo(os.Args[2])
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "tree" {
		best := time.Hour
		for i := 0; i < 40; i++ {
			t := time.Now()
			if fib(32) != 2178309 {
				os.Exit(1)
			}
			if d := time.Since(t); d < best {
				best = d
			}
		}
		fmt.Printf("tree_ms\t%.2f\n", float64(best.Nanoseconds())/1e6)
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "memory" {
		var a, b runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&a)
		gate := make(chan int)
		for i := 0; i < 1000000; i++ {
			go func() { <-gate }()
		}
		runtime.Gosched()
		runtime.GC()
		runtime.ReadMemStats(&b)
		fmt.Printf("parked_bytes\t%.2f\n", float64(b.Sys-a.Sys)/1e6)
		return
	}
	const n = 1000000
	row := func(name string, t time.Time, k int) {
		fmt.Printf("%s\t%.2f\n", name, float64(time.Since(t).Nanoseconds())/float64(k))
	}
	var wg sync.WaitGroup
	t := time.Now()
	for k := 0; k < 2; k++ {
		wg.Add(1)
		go func() {
			for i := 0; i < n; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	row("yield", t, 2*n)
	t = time.Now()
	for i := 0; i < n/2; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
	row("create", t, n/2)
	c1, c2 := make(chan int), make(chan int)
	t = time.Now()
	go func() {
		for i := 0; i < n/2; i++ {
			c2 <- <-c1
		}
	}()
	for i := 0; i < n/2; i++ {
		c1 <- i
		<-c2
	}
	row("channel", t, n)
	var m sync.Mutex
	t = time.Now()
	for k := 0; k < 2; k++ {
		wg.Add(1)
		go func() {
			for i := 0; i < n/2; i++ {
				m.Lock()
				runtime.Gosched()
				m.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	row("mutex", t, n)
}
