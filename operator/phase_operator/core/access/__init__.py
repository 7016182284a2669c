"""What a PhaseSecret may use: namespaces, hosts and the way to them, types of Secrets."""
