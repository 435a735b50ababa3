"""Apache Beam pipelines: photos and captions to records, photos to captions."""
