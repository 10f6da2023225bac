"""Workers that are jobs of a computing cluster's queue: SLURM, PBS, LSF."""
