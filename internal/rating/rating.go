// Package rating decides what usage costs: which allowances it takes from and what is charged for the rest. It
// decides from values alone and touches nothing.
package rating
