;; Each export but setup makes n echoes of 64 bytes and gives the sum of errnos,
;; and of bytes that are missing: over TCP within the guest, over TCP with a peer
;; that setup connects to, and over UDP within the guest.
(module
  (import "wasi_snapshot_preview1" "sock_open" (func $open (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_bind" (func $bind (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_listen" (func $listen (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_connect" (func $connect (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_getlocaladdr" (func $local (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send_to" (func $sendto (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv_from" (func $recvfrom (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 32) "\00\10\00\00\40\00\00\00") ;; 64 bytes to send, at 4096
  (data (i32.const 40) "\00\20\00\00\40\00\00\00") ;; and to receive, at 8192
  (data (i32.const 64) "\00\01\00\00\80\00\00\00") ;; an address in 128 bytes at 256:
  (data (i32.const 256) "\01\00\7f\00\00\01")      ;; IPv4, 127.0.0.1
  (data (i32.const 72) "\00\02\00\00\80\00\00\00") ;; and one that is told, at 512
  (global $client (mut i32) (i32.const -1))
  (global $server (mut i32) (i32.const -1))
  (global $peer (mut i32) (i32.const -1))
  (global $asker (mut i32) (i32.const -1))
  (global $replier (mut i32) (i32.const -1))
  (global $port (mut i32) (i32.const 0))

  ;; The call's result is at 16, counts at 20, flags at 24, a port at 28.
  (func $result (result i32) (i32.load (i32.const 16)))
  (func $port_of (param $fd i32) (result i32)
    (local $e i32)
    (local.set $e (call $local (local.get $fd) (i32.const 72) (i32.const 28)))
    (if (local.get $e) (then unreachable))
    (i32.load (i32.const 28)))

  (func (export "setup") (param $far i32) (result i32)
    (local $e i32) (local $l i32)
    (local.set $e (call $open (i32.const 1) (i32.const 2) (i32.const 16)))
    (local.set $l (call $result))
    (local.set $e (i32.add (local.get $e) (call $bind (local.get $l) (i32.const 64) (i32.const 0))))
    (local.set $e (i32.add (local.get $e) (call $listen (local.get $l) (i32.const 16))))
    (local.set $e (i32.add (local.get $e) (call $open (i32.const 1) (i32.const 2) (i32.const 16))))
    (global.set $client (call $result))
    (local.set $e (i32.add (local.get $e) (call $connect (global.get $client) (i32.const 64) (call $port_of (local.get $l)))))
    (local.set $e (i32.add (local.get $e) (call $accept (local.get $l) (i32.const 0) (i32.const 16))))
    (global.set $server (call $result))
    (local.set $e (i32.add (local.get $e) (call $open (i32.const 1) (i32.const 2) (i32.const 16))))
    (global.set $peer (call $result))
    (local.set $e (i32.add (local.get $e) (call $connect (global.get $peer) (i32.const 64) (local.get $far))))
    (local.set $e (i32.add (local.get $e) (call $open (i32.const 1) (i32.const 1) (i32.const 16))))
    (global.set $asker (call $result))
    (local.set $e (i32.add (local.get $e) (call $open (i32.const 1) (i32.const 1) (i32.const 16))))
    (global.set $replier (call $result))
    (local.set $e (i32.add (local.get $e) (call $bind (global.get $asker) (i32.const 64) (i32.const 0))))
    (local.set $e (i32.add (local.get $e) (call $bind (global.get $replier) (i32.const 64) (i32.const 0))))
    (global.set $port (call $port_of (global.get $replier)))
    (local.get $e))

  (func $put (param $fd i32) (result i32)
    (i32.add
      (call $send (local.get $fd) (i32.const 32) (i32.const 1) (i32.const 0) (i32.const 20))
      (i32.sub (i32.const 64) (i32.load (i32.const 20)))))
  (func $get (param $fd i32) (result i32)
    (i32.add
      (call $recv (local.get $fd) (i32.const 40) (i32.const 1) (i32.const 0) (i32.const 20) (i32.const 24))
      (i32.sub (i32.const 64) (i32.load (i32.const 20)))))
  (func $ask (param $fd i32) (param $to i32) (param $port i32) (result i32)
    (call $sendto (local.get $fd) (i32.const 32) (i32.const 1) (local.get $to) (local.get $port) (i32.const 0) (i32.const 20)))
  (func $hear (param $fd i32) (result i32)
    (i32.add
      (call $recvfrom (local.get $fd) (i32.const 40) (i32.const 1) (i32.const 72) (i32.const 0) (i32.const 28) (i32.const 20) (i32.const 24))
      (i32.sub (i32.const 64) (i32.load (i32.const 20)))))

  (func (export "stream") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $put (global.get $client))))
      (local.set $e (i32.add (local.get $e) (call $get (global.get $server))))
      (local.set $e (i32.add (local.get $e) (call $put (global.get $server))))
      (local.set $e (i32.add (local.get $e) (call $get (global.get $client))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e))
  (func (export "peer") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $put (global.get $peer))))
      (local.set $e (i32.add (local.get $e) (call $get (global.get $peer))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e))
  (func (export "datagram") (param $n i32) (result i32)
    (local $e i32)
    (loop $again
      (local.set $e (i32.add (local.get $e) (call $ask (global.get $asker) (i32.const 64) (global.get $port))))
      (local.set $e (i32.add (local.get $e) (call $hear (global.get $replier))))
      (local.set $e (i32.add (local.get $e) (call $ask (global.get $replier) (i32.const 72) (i32.load16_u (i32.const 28)))))
      (local.set $e (i32.add (local.get $e) (call $hear (global.get $asker))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $e)))
