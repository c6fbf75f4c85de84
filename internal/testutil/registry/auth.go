package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// token is what the token service gives to those it knows; refresh is the
// identity token that stands for the password.
const (
	token = "token-of-the-test"
	// IdentityToken is accepted by the token service in place of a password.
	IdentityToken = "identity-token-of-the-test"
)

// guard asks for credentials as the options say
// (https://distribution.github.io/distribution/spec/auth/token/).
func (r *Registry) guard(next http.Handler) http.Handler {
	if r.options.User == "" && !r.options.Token {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.options.Token && req.URL.Path == "/token" {
			r.giveToken(w, req)
			return
		}
		if r.allowed(req) {
			next.ServeHTTP(w, req)
			return
		}
		challenge := `Basic realm="test"`
		if r.options.Token {
			challenge = fmt.Sprintf(`Bearer realm="%s/token",service="test"`, r.server.URL)
			if repo, ok := repository(req.URL.Path); ok {
				challenge += fmt.Sprintf(`,scope="repository:%s:pull,push"`, repo)
			}
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
	})
}

// repository cuts the repository out of a path of the API.
func repository(path string) (string, bool) {
	path = strings.TrimPrefix(path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/"} {
		if repo, _, ok := strings.Cut(path, kind); ok {
			return repo, true
		}
	}
	return "", false
}

func (r *Registry) allowed(req *http.Request) bool {
	if r.options.Token {
		return req.Header.Get("Authorization") == "Bearer "+token
	}
	user, password, ok := req.BasicAuth()
	return ok && user == r.options.User && password == r.options.Password
}

// giveToken is the token service, in its GET and its OAuth form.
func (r *Registry) giveToken(w http.ResponseWriter, req *http.Request) {
	user, password, _ := req.BasicAuth()
	if req.Method == http.MethodPost {
		user, password = req.PostFormValue("username"), req.PostFormValue("password")
	}
	known := user == r.options.User && password == r.options.Password
	if req.Method == http.MethodPost && req.PostFormValue("grant_type") == "refresh_token" {
		known = req.PostFormValue("refresh_token") == IdentityToken
	}
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}`)
		return
	}
	r.Tokens.Add(1)
	w.Header().Set("Content-Type", "application/json")
	// The fields of both forms; clients take theirs.
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "access_token": token, "expires_in": 300})
}
