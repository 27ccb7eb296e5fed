"""What joins the sidecar to the lake: its journal becomes loans there."""
