// Package private refuses directories that are not for one user alone: who can write to
// where a program keeps its state can have it run commands (S3).
package private
