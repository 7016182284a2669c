"""How resources and the operator leave a cluster, so that every target stays."""
