// Package scale holds that what a subscriber asks for costs the same however many subscribers there are: an operator
// with 1,000 subscriptions and one with N stand side by side, and take turns in one run. Both are loaded as a file of
// subscribers is.
//
// `make scale` runs it with N=1000000 on SQLite; ENGINE=postgres chooses the other engine. It prints what the large
// database takes of the disk, and begins only where there is room for it.
package scale
