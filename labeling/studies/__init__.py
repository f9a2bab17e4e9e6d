"""Studies of the statistics on simulated raters whose faults are known, for anyone to rerun."""
