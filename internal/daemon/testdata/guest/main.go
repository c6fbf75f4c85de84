// Command guest does what its arguments say, so that tests of the engine can
// see a container from inside. It is built for wasip1.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	args := append(os.Args[1:], "", "")
	switch args[0] {
	case "say":
		fmt.Println(args[1])
		fmt.Fprintln(os.Stderr, "to stderr")
	case "exit":
		n, err := strconv.Atoi(args[1])
		check(err)
		os.Exit(n)
	case "env":
		fmt.Println(os.Getenv(args[1]))
	case "cat":
		_, err := io.Copy(os.Stdout, os.Stdin)
		check(err)
	case "read":
		b, err := os.ReadFile(args[1])
		check(err)
		os.Stdout.Write(b)
	case "write":
		check(os.WriteFile(args[1], []byte(args[2]), 0o644))
	case "remove":
		check(os.Remove(args[1]))
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "lines":
		n, err := strconv.Atoi(args[1])
		check(err)
		w := bufio.NewWriter(os.Stdout)
		for i := range n {
			fmt.Fprintf(w, "line %d\n", i)
		}
		check(w.Flush())
	default:
		fmt.Fprintln(os.Stderr, "what?", os.Args)
		os.Exit(64)
	}
}
