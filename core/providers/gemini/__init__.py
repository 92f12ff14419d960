"""Google's models: few-shot answers through either of two SDKs, and tuning on Vertex."""
