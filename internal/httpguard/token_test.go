package httpguard_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
)

const (
	first  = "the-first-token-of-all-of-them"
	second = "the-second-token-of-all-of-them"
)

func writeTokens(tb testing.TB, path, text string) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(path, []byte(text), 0o600))
}

func tokenGuard(tb testing.TB, text string) (*httpguard.Guard, *journal, string, error) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "tokens")
	writeTokens(tb, path, text)
	log := &journal{}
	g, err := httpguard.New(httpguard.Config{
		Auth: httpguard.Auth{TokenFile: path}, Logger: logger(log),
	})
	if err != nil {
		return nil, log, path, err
	}
	handleAll(g, hello())
	return g, log, path, nil
}

// try returns the status for a token on a route that needs Submit.
func try(g http.Handler, token string) int {
	r := httptest.NewRequest(http.MethodDelete, "http://localhost/api/v1/task/x", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Code
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	hash := sha256.Sum256([]byte(second))
	g, _, _, err := tokenGuard(t, "# two engines\r\n\n"+
		"  submit\t"+first+"   # the old one\r\n"+
		"submit sha256:"+strings.ToUpper(hex.EncodeToString(hash[:]))+"\n"+
		"read only-for-those-who-look==")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, try(g, first))
	require.Equal(t, http.StatusOK, try(g, second))
	require.Equal(t, http.StatusForbidden, try(g, "only-for-those-who-look=="))
	require.Equal(t, http.StatusUnauthorized, try(g, first+" "))
	require.Equal(t, http.StatusUnauthorized, try(g, hex.EncodeToString(hash[:])))
	require.Equal(t, http.StatusUnauthorized, try(g, ""))
}

func TestBadTokenFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, says string }{
		{"empty", "", "/dev/urandom"},
		{"comments only", "# nothing\n\n", "/dev/urandom"},
		{"one word", "submit\n", "line 1"},
		{"wrong way round", "\n" + first + " submit\n", "line 2"},
		{"three words", "submit " + first + " " + second, "line 1"},
		{"unknown role", "operator " + first, "read, submit or admin"},
		{"no role of callers", "public " + first, "read, submit or admin"},
		{"short", "submit secret", "at least 20"},
		{"strange", "submit " + first + "é", "characters other than"},
		{"no comment", "submit " + first + "#2", "characters other than"},
		{"half a hash", "submit sha256:abcd", "64"},
		{"twice", "submit " + first + "\nread " + first, "line 1 already"},
		{"several", "submit secret\n\nfoo bar\n", "line 3"},
		{"long", strings.Repeat("#", 1<<20+1), "longer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, _, path, err := tokenGuard(t, tc.text)
			require.ErrorContains(t, err, tc.says)
			require.ErrorContains(t, err, path)
			for _, secret := range []string{first, second, "secret", "foo"} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
	_, err := httpguard.New(httpguard.Config{Auth: httpguard.Auth{TokenFile: "/no/such/file"}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Tokens are rotated while the daemon runs.
func TestTokensAreReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, log, path, err := tokenGuard(t, "submit "+first+"\n")
		require.NoError(t, err)
		replace := func(text string) {
			writeTokens(t, path, text)
			// Older than the clock of this bubble, as a file is that was not just
			// written: only its state tells that it has changed.
			at := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(path, at, at))
			<-time.After(time.Second)
		}
		replace("submit " + first + "\nsubmit " + second + "\n")
		require.Equal(t, http.StatusOK, try(g, first))
		require.Equal(t, http.StatusOK, try(g, second))
		replace("submit " + second + "\n")
		require.Equal(t, http.StatusUnauthorized, try(g, first))
		require.Equal(t, http.StatusOK, try(g, second))
		require.Empty(t, errorsIn(log))

		replace("submit " + first + "\nnonsense\n")
		require.Equal(t, http.StatusOK, try(g, second), "the tokens from before stay")
		require.Equal(t, http.StatusUnauthorized, try(g, first))
		<-time.After(time.Minute)
		require.Equal(t, http.StatusOK, try(g, second))
		require.Len(t, errorsIn(log), 1, "said once")
		require.Contains(t, errorsIn(log)[0], "line 2")
		require.ErrorContains(t, g.Reload(), "line 2")

		// Neither its size nor what it is tells, but its time does.
		replace("submit " + second + "\n")
		require.Len(t, errorsIn(log), 1)
		require.NoError(t, os.WriteFile(path, []byte("admin  "+second+"\n"), 0o600))
		at := time.Now().Add(-2 * time.Hour)
		require.NoError(t, os.Chtimes(path, at, at))
		<-time.After(time.Second)
		require.Equal(t, http.StatusOK, try(g, second))
		require.NoError(t, os.WriteFile(path, []byte("read   "+second+"\n"), 0o600))
		at = at.Add(time.Minute)
		require.NoError(t, os.Chtimes(path, at, at))
		<-time.After(time.Second)
		require.Equal(t, http.StatusForbidden, try(g, second))
		replace("submit " + second + "\n")
		require.Equal(t, http.StatusOK, try(g, second))

		// One that was just written is read each time, and the error said once.
		writeTokens(t, path, "nonsense of this moment\n")
		for range 5 {
			<-time.After(time.Second)
			require.Equal(t, http.StatusOK, try(g, second))
		}
		require.Len(t, errorsIn(log), 2)
		replace("submit " + second + "\n")
		require.Equal(t, http.StatusOK, try(g, second))

		require.NoError(t, os.Remove(path))
		<-time.After(time.Second)
		require.Equal(t, http.StatusOK, try(g, second))
		require.Len(t, errorsIn(log), 3)
		replace("read " + second + "\n")
		require.Equal(t, http.StatusForbidden, try(g, second))
	})
}

// A file that was written twice in one tick of the clock of its file system, with
// the same length, is seen to have changed.
func TestTokensOfTheSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, _, path, err := tokenGuard(t, "submit "+first+"A\n")
		require.NoError(t, err)
		now := time.Now()
		require.NoError(t, os.Chtimes(path, now, now))
		require.NoError(t, g.Reload())
		writeTokens(t, path, "submit "+first+"B\n")
		require.NoError(t, os.Chtimes(path, now, now))
		require.Equal(t, http.StatusOK, try(g, first+"A"), "not looked at yet")
		<-time.After(time.Second)
		require.Equal(t, http.StatusOK, try(g, first+"B"))
		require.Equal(t, http.StatusUnauthorized, try(g, first+"A"))
	})
}

// A file that could not be read is tried again, also if nothing tells that it can be now:
// not its time, nor its length, as after a chown, or when there are descriptors again.
func TestTokensAfterAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, log, path, err := tokenGuard(t, "submit "+first+"\n")
		require.NoError(t, err)
		write := func(text string) {
			writeTokens(t, path, text)
			old := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(path, time.Time{}, old.Truncate(time.Hour)))
		}
		write("sumbit " + second + "\n")
		for range 5 {
			<-time.After(time.Second)
			require.Equal(t, http.StatusOK, try(g, first))
		}
		require.Len(t, errorsIn(log), 1)
		write("submit " + second + "\n")
		<-time.After(time.Second)
		require.Equal(t, http.StatusOK, try(g, second))
		require.Equal(t, http.StatusUnauthorized, try(g, first))
	})
}

func TestReloadIsAtOnce(t *testing.T) {
	t.Parallel()
	g, _, path, err := tokenGuard(t, "submit "+first+"\n")
	require.NoError(t, err)
	writeTokens(t, path, "submit "+second+"\n")
	require.NoError(t, g.Reload())
	require.Equal(t, http.StatusUnauthorized, try(g, first))
	require.Equal(t, http.StatusOK, try(g, second))
}

func errorsIn(log *journal) []string {
	var found []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level=ERROR") {
			found = append(found, line)
		}
	}
	return found
}

func TestInsecureLoopback(t *testing.T) {
	t.Parallel()
	g, err := httpguard.New(httpguard.Config{Auth: httpguard.Auth{InsecureLoopback: true}})
	require.NoError(t, err)
	g.Handle(httpguard.Route{Pattern: "POST /x", Role: httpguard.Admin, Handler: hello()})
	from := func(remote string, headers ...string) int {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/x", http.NoBody)
		r.RemoteAddr = remote
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusOK, from("127.0.0.1:1"))
	require.Equal(t, http.StatusOK, from("[::1]:1"))
	require.Equal(t, http.StatusOK, from("[::ffff:127.0.0.1]:1"))
	require.Equal(t, http.StatusForbidden, from("10.0.0.1:1"))
	require.Equal(t, http.StatusForbidden, from("@"))
	require.Equal(t, http.StatusForbidden, from(""))
	// Pages in a browser on this machine are not let in with it.
	require.Equal(t, http.StatusForbidden, from("127.0.0.1:1", "Sec-Fetch-Site", "cross-site"))
	require.Equal(t, http.StatusForbidden, from("127.0.0.1:1", "Origin", "http://evil.example"))
}

func TestContradictions(t *testing.T) {
	t.Parallel()
	good := []string{"node7.cluster", "node_7", "10.0.0.7", "fd00::7", "[fd00::7]", "fe80::1%eth0"}
	bad := []string{"", "node7:2504", "10.0.0.7:2504", "[fd00::7]:2504", "https://node7", "*.lab"}
	_, err := httpguard.New(httpguard.Config{Auth: httpguard.Auth{
		TokenFile: "x", InsecureLoopback: true,
		Certificates: map[string]httpguard.Role{
			"engine": httpguard.Submit, "dns:": httpguard.Read, "CN=x": httpguard.Public,
		},
	}, Hosts: append(good, bad...)})
	for _, says := range []string{"choose one", `"engine"`, `"dns:"`, `"CN=x"`} {
		require.ErrorContains(t, err, says)
	}
	for _, name := range bad {
		require.ErrorContains(t, err, fmt.Sprintf("host %q", name))
	}
	for _, name := range good {
		require.NotContains(t, err.Error(), fmt.Sprintf("host %q", name))
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add("Bearer " + first)
	f.Add("Bearer")
	f.Add("bearer  " + first)
	g, _, _, err := tokenGuard(f, "submit "+first+"\n")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodDelete, "http://localhost/api/v1/task/x", http.NoBody)
		r.Header["Authorization"] = []string{header}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		want := http.StatusUnauthorized
		if scheme, token, _ := strings.Cut(header, " "); token == first &&
			strings.EqualFold(scheme, "bearer") {
			want = http.StatusOK
		}
		require.Equal(t, want, w.Code)
	})
}
