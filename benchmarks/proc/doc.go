// Package proc reads what the operating system, Linux, knows of a process.
package proc
