"""What `convoy doctor` looks at, one topic a file. Each looks, says, and changes nothing."""
