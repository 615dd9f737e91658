"""The Faust worker: chunks in, one transaction per partition and chunk out."""
