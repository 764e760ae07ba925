"""Access to files: on this machine, at addresses, on standard input and output; plain or compressed."""
