"""New instructions from seed tasks: sampled, asked for, parsed, filtered, answered, verified; the pool grows."""
