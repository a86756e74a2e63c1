"""What the EEG shows: cleaning, rhythms, potentials, connectivity and networks around a moment."""
