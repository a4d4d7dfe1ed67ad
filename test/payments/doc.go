// Package payments holds what charges promise over a long run, and that what is sent to Stripe is what Stripe's own server
// takes.
//
// `make payments` runs it: CHARGES=20000 on each engine through a gateway that loses, delays, repeats and declines while whoever
// asks it is killed; and every request of the connector against stripe-mock, which checks them by Stripe's own description of
// its API.
package payments
