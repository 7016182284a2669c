"""What commands share: options, failures, the cluster and Phase of the person, what is printed."""
