"""Attributes: numbers beside the rows, keyed by id. Measuring is here, deciding is in `data_pipeline.tier`."""
