// SPDX-License-Identifier: BSD-2-Clause
// A SOCKS server on github.com/armon/go-socks5, as its users write it: no login, everything allowed.
package main

import (
	"io"
	"log"
	"os"

	"github.com/armon/go-socks5"
)

func main() {
	server, err := socks5.New(&socks5.Config{Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ListenAndServe("tcp", os.Args[1]))
}
