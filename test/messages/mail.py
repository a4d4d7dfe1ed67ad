"""A mail server made of aiosmtpd: STARTTLS and a password are needed; it says on standard output what it takes."""
import asyncio, email, email.policy, json, ssl, sys
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


def say(**v):
    print(json.dumps(v), flush=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        if address.startswith("busy@"):
            return "450 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        m = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(sender=envelope.mail_from, to=envelope.rcpt_tos, subject=m["Subject"], text=m.get_content(), name=m["From"].addresses[0].display_name,
            id=m["Message-ID"], language=m["Content-Language"], tls=session.ssl is not None, user=session.auth_data.login.decode())
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and data.login == b"demarc" and data.password == b"secret"
    return AuthResult(success=good, auth_data=data)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
controller = Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[3]), tls_context=context, require_starttls=True,
                        authenticator=authenticate, auth_required=True)
controller.start()
say(port=controller.server.sockets[0].getsockname()[1])
asyncio.new_event_loop().run_forever()
