"""Features: one file per signal or descriptor family, each with one public function that returns a `FeatureTable`."""
