package layertest

import "github.com/portico-go/portico/channellayer"

// What was sent to some members comes to them alone, at once and from the history. It takes its place in the order for all.
func historyForSome(s *suite) {
	a, b := s.pair(history(100))
	admin, guest, silent := s.described(b, "admin"), s.described(b, "guest"), s.member(b, s.group("g"))
	begin := s.store(a, s.group("g"), 0, 1)[0]
	s.groupSend(a, s.group("g"), 1, channellayer.Where("role", "admin"))
	s.groupSend(a, s.group("g"), 2, channellayer.Not(channellayer.Where("role")), channellayer.Except(admin.Name()))
	s.groupSend(a, s.group("g"), 3, channellayer.Except(guest.Name()))
	last := s.store(a, s.group("g"), 4, 5)[0]
	s.expect(admin, 0, 1, 3, 4)
	s.expect(guest, 0, 4)
	s.expect(silent, 0, 2, 3, 4)
	for sub, want := range map[*channellayer.Subscription][]int{admin: {1, 3, 4}, guest: {4}, silent: {2, 3, 4}} {
		r := s.joinFrom(sub, s.group("g"), begin)
		s.recovered(r, want...)
		if r.Position != last {
			s.Errorf("the recovery ends at %v, expected %v", r.Position, last)
		}
	}
	all, err := a.Recover(s.ctx, s.group("g"), begin) // who is no member asks for everything
	s.must(err)
	s.recovered(all, 1, 2, 3, 4)
}
