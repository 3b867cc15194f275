package httpguard

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// MinToken is the least number of characters of a token.
const MinToken = 20

const maxTokenFile = 1 << 20 // bytes

// tokens are the contents of a token file.
type tokens struct{ known []token }

type token struct {
	hash [sha256.Size]byte
	role Role
}

// role returns the role of a token. Which tokens there are does not show in the
// time that it takes.
func (t *tokens) role(text string) Role {
	hash := sha256.Sum256([]byte(text))
	role := nobody
	for i := range t.known {
		if subtle.ConstantTimeCompare(hash[:], t.known[i].hash[:]) == 1 {
			role = t.known[i].role
		}
	}
	return role
}

// readTokens reads a token file, which nobody but its owner has access to. What
// is in it does not get into errors.
func readTokens(path string) (*tokens, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("httpguard: token file: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	if err := errors.Join(private(f, 0o077), owned(f)); err != nil {
		return nil, fmt.Errorf("httpguard: token file %s: %w", path, err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return nil, fmt.Errorf("httpguard: token file: %w", err)
	}
	if len(data) > maxTokenFile {
		return nil, fmt.Errorf("httpguard: token file %s is longer than %d bytes", path,
			maxTokenFile)
	}
	t, err := parseTokens(data)
	if err != nil {
		return nil, fmt.Errorf("httpguard: token file %s: %w", path, err)
	}
	return t, nil
}

func parseTokens(data []byte) (*tokens, error) {
	t := &tokens{}
	var errs *multierror.Error
	lines := map[[sha256.Size]byte]int{} // where each token is
	number := 0
	for line := range bytes.Lines(data) {
		number++
		words := strings.Fields(string(line))
		if comment := slices.IndexFunc(words, isComment); comment >= 0 {
			words = words[:comment]
		}
		if len(words) == 0 {
			continue
		}
		one, err := parseToken(words)
		if before := lines[one.hash]; err == nil && before > 0 {
			err = fmt.Errorf("this token is on line %d already", before)
		}
		if err != nil {
			errs = multierror.Append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		lines[one.hash] = number
		t.known = append(t.known, one)
	}
	if len(t.known) == 0 && errs == nil {
		return nil, errors.New("it has no tokens: put lines of a role and a token into it, " +
			"such as those that this prints: " +
			`echo "submit $(head -c 32 /dev/urandom | base64)"`)
	}
	return t, errs.ErrorOrNil()
}

func isComment(word string) bool { return strings.HasPrefix(word, "#") }

func parseToken(words []string) (token, error) {
	if len(words) != 2 {
		return token{}, errors.New("want a role and a token, such as: submit TOKEN")
	}
	role, err := ParseRole(words[0])
	if err != nil {
		// The words may be the wrong way round: what stands there may be a secret.
		return token{}, errors.New("the first word is not a role: want read, submit or admin")
	}
	if digits, ok := strings.CutPrefix(words[1], "sha256:"); ok {
		hash, err := hex.DecodeString(digits)
		if err != nil || len(hash) != sha256.Size {
			return token{}, errors.New("after sha256: there must be 64 hexadecimal digits")
		}
		return token{[sha256.Size]byte(hash), role}, nil
	}
	if len(words[1]) < MinToken {
		return token{}, fmt.Errorf("the token has %d characters, want at least %d: make one with "+
			"head -c 32 /dev/urandom | base64", len(words[1]), MinToken)
	}
	if strings.ContainsFunc(words[1], notOfTokens) {
		return token{}, errors.New("the token has characters other than letters, digits and " +
			"-._~+/=")
	}
	return token{sha256.Sum256([]byte(words[1])), role}, nil
}

func notOfTokens(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("-._~+/=", c)
}
