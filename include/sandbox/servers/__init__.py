"""Real servers for the demo and the tests, on the loopback address and free ports, each ended with the `with` block that started it."""
