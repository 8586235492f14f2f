"""The job: from settings to objects, the loop, observers."""
