// Command guest does what its first argument says, so that tests can see how a
// container behaves. It is built for wasip1.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	what := ""
	if len(os.Args) > 1 {
		what = os.Args[1]
	}
	switch what {
	case "hello":
		fmt.Println("hello", strings.Join(os.Args[2:], " "))
		fmt.Fprintln(os.Stderr, "to stderr")
	case "exit":
		n, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		os.Exit(n)
	case "env":
		for _, kv := range os.Environ() {
			fmt.Println(kv)
		}
		dir, err := os.Getwd()
		fmt.Println("cwd", dir, err)
	case "write":
		if err := os.WriteFile(os.Args[2], []byte(os.Args[3]), 0o644); err != nil {
			panic(err)
		}
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "end of input")
	case "lines":
		for s := bufio.NewScanner(os.Stdin); s.Scan(); {
			fmt.Println("got", s.Text())
		}
	case "read":
		data, err := os.ReadFile(os.Args[2])
		if err != nil {
			panic(err)
		}
		os.Stdout.Write(data)
	case "trap":
		trap()
	case "loop":
		fmt.Println("looping")
		for n := 0; ; n++ {
			_ = n
		}
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "grow":
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
			keep[len(keep)-1][0] = 1
		}
	case "flood":
		n, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		line := strings.Repeat("x", 99) + "\n"
		w := bufio.NewWriter(os.Stdout)
		for range n {
			w.WriteString(line)
		}
		w.Flush()
	default:
		fmt.Println("what?", os.Args)
		os.Exit(64)
	}
}
