"""PhasePushSecrets: do what the machine of core/push decides, and read values only where they are about to be sent."""
