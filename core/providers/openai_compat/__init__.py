"""Every vendor that speaks OpenAI's protocol, behind one client: differences are data in `flavours`."""
