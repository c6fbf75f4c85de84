package test

import (
	"fmt"
	"io"
	"net/http"
)

// greeting is the page of the example servers.
const greeting = "Hello from wasi/wasm\n"

func getOne(client *http.Client, addr string) error {
	resp, err := client.Get("http://" + addr + "/")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(body) != greeting {
		return fmt.Errorf("GET /: status %d, body %q", resp.StatusCode, body)
	}
	return nil
}
