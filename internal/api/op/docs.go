package op

import "net/http"

func (d *documents) reference(s *server) http.Handler { return http.NotFoundHandler() }
