"""One account in words: what it stands on, what it lacks, what comes next."""
