"""How Dynamics 365 speaks: the Dataverse Web API, with msal for its tokens and httpx for its calls."""
