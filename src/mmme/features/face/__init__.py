"""The face: found, followed, registered, its motion and patterns described, its pulse read; one file per family."""
