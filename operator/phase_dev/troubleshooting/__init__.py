"""The page about troubleshooting: symptoms first, then every reason with its causes."""
