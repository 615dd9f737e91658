"""What Segment, Snowplow and CloudEvents sources already send, as our own events."""
