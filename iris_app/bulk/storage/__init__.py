"""Where files lie: on this machine, at addresses, on standard input and output; plain or compressed."""
