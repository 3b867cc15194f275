package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// FuzzParse: nothing makes a reader panic. What is taken for a submission is JSON
// for others too, and is written again so that it reads the same.
func FuzzParse(f *testing.F) {
	data, err := submission().Append(nil)
	require.NoError(f, err)
	f.Add(data)
	f.Add(ended().Append(nil))
	f.Add([]byte(`{"line":1,"key":"k","status":429,"error":"x","code":"noRoom"}`))
	f.Add([]byte(`{"hello":{"start":"s","rev":1}}`))
	f.Add([]byte(`{"keys":["a","b"]}`))
	f.Add([]byte(`{"key":"k","job":{"options":{"\u00e9":[1e5,-0.5,null,{"a":false}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := wire.ParseSubmission(data); err == nil {
			require.True(t, json.Valid(data))
			again, err := s.Append(nil)
			require.NoError(t, err)
			parsed, err := wire.ParseSubmission(again)
			require.NoError(t, err)
			second, err := parsed.Append(nil)
			require.NoError(t, err)
			require.Equal(t, string(again), string(second))
		}
		if st, err := wire.ParseState(data); err == nil {
			require.True(t, json.Valid(data))
			text := st.Append(nil)
			require.True(t, json.Valid(text))
			parsed, err := wire.ParseState(text)
			require.NoError(t, err)
			require.Equal(t, string(text), string(parsed.Append(nil)))
		}
		if e, err := wire.ParseEvent(data); err == nil {
			_, err := e.Append(nil)
			require.NoError(t, err)
		}
		if a, err := wire.ParseAnswer(data); err == nil {
			_, err := wire.ParseAnswer(a.Append(nil))
			require.NoError(t, err)
		}
		_, _ = wire.ParseKeys(data)
	})
}
