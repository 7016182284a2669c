"""What every tool of phase_dev needs: programs that run, ports, a terminal, and what goes wrong as one sentence."""
