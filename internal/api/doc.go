// Package api serves the Docker Engine API over the embedded engine: routes,
// request and response shapes, streams and errors, a router per noun.
//
// It knows HTTP and the API's types. It must not know how a container is run
// or where an image is kept: it reaches both through the narrow backends of
// this package.
package api
