// Package config holds every setting of demarc in one struct.
//
// A setting is one field: its tags give the name, the default, the environment variable and the words that
// `demarc --help`, `demarc config` and docs/configuration.md show. A flag wins over the environment, the
// environment over the file, the file over the default. A name that demarc does not know is refused wherever
// it stands.
package config

import "time"

// Settings are all settings. The tags are read by the command line (kong) and by this package: name is the
// flag and the key in the file, env the environment variable, group the heading in the docs, help what it
// means. A setting tagged secret:"all" is never shown; of one tagged secret:"url" the password is left out.
type Settings struct {
	Config string `name:"config" env:"DEMARC_CONFIG" placeholder:"FILE" group:"Files" help:"YAML file of settings, keyed by these names. Without it demarc.yaml in the working directory is read when it is there."`
	Data   string `name:"data" env:"DEMARC_DATA" default:"data" placeholder:"DIR" group:"Files" help:"Folder for what demarc keeps on this machine: the embedded database, the development keys, the pepper of API keys. Made when missing, readable by its owner only."`

	DB         string `name:"db" env:"DEMARC_DB" secret:"url" placeholder:"URL" group:"Database" help:"Database: sqlite:PATH or postgres://…. Empty is sqlite:demarc.db in the data folder."`
	Readers    int    `name:"db-readers" env:"DEMARC_DB_READERS" default:"0" group:"Database" help:"How many reads run side by side; 0 is 4 on SQLite and 16 on PostgreSQL."`
	CacheMB    int    `name:"cache-mb" env:"DEMARC_CACHE_MB" default:"16" group:"Database" help:"Memory of the exact read cache in MiB (SQLite only); 0 turns it off."`
	GroupWrite int    `name:"db-group" env:"DEMARC_DB_GROUP" default:"64" group:"Database" help:"How many writes one flush to disk may acknowledge (SQLite only); 1 turns grouping off."`

	Listen        string        `name:"listen" env:"DEMARC_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" group:"Server" help:"Address that requests come in on."`
	PublicURL     string        `name:"public-url" env:"DEMARC_PUBLIC_URL" placeholder:"URL" group:"Server" help:"How clients reach this server, for links in answers. Empty is http:// and the listen address."`
	ShutdownGrace time.Duration `name:"shutdown-grace" env:"DEMARC_SHUTDOWN_GRACE" default:"20s" group:"Server" help:"How long requests and jobs in hand may take to end when demarc is told to stop."`
	MaxRequests   int           `name:"max-requests" env:"DEMARC_MAX_REQUESTS" default:"512" group:"Server" help:"Requests worked on at once; more are answered 503 with Retry-After. 0 is no limit."`
	AccessLog     string        `name:"access-log" env:"DEMARC_ACCESS_LOG" default:"stdout" enum:"none,stdout,stderr" group:"Server" help:"Where a line of JSON goes for every request: none, stdout or stderr."`

	Issuer     []string `name:"issuer" env:"DEMARC_ISSUER" placeholder:"URL" group:"Identity" help:"OpenID Connect issuer whose access tokens are honoured, exactly as tokens name it; may be given several times."`
	JWKSURL    []string `name:"jwks-url" env:"DEMARC_JWKS_URL" placeholder:"URL" group:"Identity" help:"Where the keys of each issuer are, in the order of the issuers, when demarc does not reach them by the issuer's own URL."`
	Audience   []string `name:"audience" env:"DEMARC_AUDIENCE" group:"Identity" help:"Audience (aud) that a token must be for, one of these."`
	AllowedAzp []string `name:"allowed-client" env:"DEMARC_ALLOWED_CLIENT" placeholder:"CLIENT" group:"Identity" help:"OAuth clients (azp) whose tokens are honoured. An issuer needs audiences, allowed clients or both."`
	RoleClient []string `name:"role-client" env:"DEMARC_ROLE_CLIENT" placeholder:"CLIENT" group:"Identity" help:"Clients whose client roles count beside realm roles; without any, the client that the token was issued to."`
	Secret     string   `name:"secret" env:"DEMARC_SECRET" secret:"all" group:"Identity" help:"Secret of at least 32 bytes that API keys are stored under and webhook secrets are derived from; the same on every node, and kept: without it no API key works any longer. Empty makes one in the data folder, which is right for one node only."`

	Dev              bool     `name:"dev" env:"DEMARC_DEV" group:"Development" help:"Development: an identity provider of its own with known passwords, on this server's address. Refused on any address but loopback."`
	DevRealm         string   `name:"dev-realm" env:"DEMARC_DEV_REALM" placeholder:"FILE" group:"Development" help:"Realm file that the development identity provider loads, as Keycloak imports it; without one it makes the realm that demarc realm export prints."`
	Demo             bool     `name:"demo" env:"DEMARC_DEMO" group:"Development" help:"Fill an empty database with demonstration data."`
	DemoCustomers    int      `name:"demo-customers" env:"DEMARC_DEMO_CUSTOMERS" default:"500" group:"Development" help:"How many demonstration customers each service provider gets."`
	ServiceProviders []string `name:"service-provider" env:"DEMARC_SERVICE_PROVIDER" default:"1:HappyPhone,2:SadPhone" placeholder:"SPID:NAME" group:"Development" help:"Service providers of the development realm and of the demonstration data."`

	Workers      int           `name:"workers" env:"DEMARC_WORKERS" default:"4" group:"Jobs" help:"How many jobs run side by side on this node, and how many deliveries of events beside them; 0 runs none here."`
	JobLease     time.Duration `name:"job-lease" env:"DEMARC_JOB_LEASE" default:"1m" group:"Jobs" help:"How long a job may run before another node may take it over."`
	JobPoll      time.Duration `name:"job-poll" env:"DEMARC_JOB_POLL" default:"1s" group:"Jobs" help:"How long a node waits before it looks for due jobs of other nodes."`
	WebhookAllow []string      `name:"webhook-allow" env:"DEMARC_WEBHOOK_ALLOW" placeholder:"CIDR" group:"Jobs" help:"Blocks of addresses that event subscriptions may call back to beside the public internet, as 10.1.0.0/16. Development adds the loopback."`

	NetworkURL      string        `name:"network-url" env:"DEMARC_NETWORK_URL" placeholder:"URL" group:"Network" help:"Base URL of the network that lines are provisioned in (docs/network.md), or simulator: for one that only plays it, as in simulator:?later=0.2&delay=2s&fail=0.1&seed=1. Empty is the simulator with dev or demo on, and otherwise no network: orders wait for one."`
	NetworkKey      string        `name:"network-key" env:"DEMARC_NETWORK_KEY" secret:"all" group:"Network" help:"Key of at least 32 bytes that requests to the network and its callbacks are signed with."`
	NetworkTimeout  time.Duration `name:"network-timeout" env:"DEMARC_NETWORK_TIMEOUT" default:"10s" group:"Network" help:"How long one call to the network may take."`
	NetworkPatience time.Duration `name:"network-patience" env:"DEMARC_NETWORK_PATIENCE" default:"24h" group:"Network" help:"How long a request is sent again and asked about before it counts as refused."`

	SMSURL      string `name:"sms-url" env:"DEMARC_SMS_URL" secret:"url" placeholder:"URL" group:"Messages" help:"Short message centre that messages go to by SMPP 3.4 (docs/messages.md), as in smpp://SYSTEM-ID:PASSWORD@smsc.example.com:2775, or smpps:// with TLS. log: writes them to the log, off sends none. Empty is log: with dev or demo on, and otherwise off."`
	EmailURL    string `name:"email-url" env:"DEMARC_EMAIL_URL" secret:"url" placeholder:"URL" group:"Messages" help:"Mail server that messages go to by SMTP, as in smtp://USER:PASSWORD@mail.example.com:587 (STARTTLS is needed unless ?tls=no) or smtps://. log:, off and empty as for sms-url."`
	EmailSender string `name:"email-sender" env:"DEMARC_EMAIL_SENDER" placeholder:"ADDRESS" group:"Messages" help:"Address that e-mails come from where the service provider has none of its own. Needed with email-url."`
	PushURL     string `name:"push-url" env:"DEMARC_PUSH_URL" placeholder:"URL" group:"Messages" help:"Service that push messages are POSTed to as JSON (docs/messages.md). log:, off and empty as for sms-url."`
	PushKey     string `name:"push-key" env:"DEMARC_PUSH_KEY" secret:"all" group:"Messages" help:"Key of at least 32 bytes that push messages are signed with."`

	PaymentGateway       string        `name:"payment-gateway" env:"DEMARC_PAYMENT_GATEWAY" placeholder:"GATEWAY" group:"Payments" help:"Payment gateway that customers are charged through (docs/payments.md): stripe: for Stripe, stripe:URL for one that speaks as Stripe does, sandbox: for one that only plays it. Empty is the sandbox with dev or demo on, and otherwise none: nothing can be charged."`
	PaymentKey           string        `name:"payment-key" env:"DEMARC_PAYMENT_KEY" secret:"all" group:"Payments" help:"Secret key of the account at the payment gateway."`
	PaymentWebhookSecret string        `name:"payment-webhook-secret" env:"DEMARC_PAYMENT_WEBHOOK_SECRET" secret:"all" group:"Payments" help:"What the payment gateway signs its webhooks with; without it none are taken, and demarc asks for what they would say."`
	PaymentTimeout       time.Duration `name:"payment-timeout" env:"DEMARC_PAYMENT_TIMEOUT" default:"15s" group:"Payments" help:"How long one call to the payment gateway may take."`

	LogLevel     string  `name:"log-level" env:"DEMARC_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" group:"Telemetry" help:"Least severe thing that is logged: debug, info, warn or error."`
	LogFormat    string  `name:"log-format" env:"DEMARC_LOG_FORMAT" default:"auto" enum:"auto,text,json" group:"Telemetry" help:"text for people, json for machines; auto is text on a terminal."`
	OTLPEndpoint string  `name:"otlp-endpoint" env:"DEMARC_OTLP_ENDPOINT" placeholder:"URL" group:"Telemetry" help:"OpenTelemetry collector (OTLP over HTTP) that traces are sent to; empty sends none."`
	TraceRatio   float64 `name:"trace-ratio" env:"DEMARC_TRACE_RATIO" default:"1" group:"Telemetry" help:"Share of requests that are traced, above 0 to 1, where the caller does not decide."`
}
