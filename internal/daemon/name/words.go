package name

// The words of generated names. The second half honours people of computing,
// navigation and the sea whose work carries further than they did.
var (
	adjectives = []string{
		"able", "agile", "amber", "ample", "apt", "azure", "balmy", "blithe", "bold", "brave",
		"breezy", "bright", "brisk", "calm", "candid", "clear", "clever", "copper", "crisp", "daring",
		"deft", "eager", "early", "earnest", "easy", "fair", "famous", "fine", "fleet", "fond",
		"frank", "fresh", "gallant", "gentle", "glad", "golden", "good", "grand", "happy", "hardy",
		"hearty", "honest", "humble", "jolly", "keen", "kind", "light", "lively", "loyal", "lucid",
		"lucky", "mellow", "merry", "mild", "modest", "neat", "nimble", "noble", "patient", "plucky",
		"polite", "prompt", "proud", "quick", "quiet", "ready", "rosy", "rustic", "salty", "serene",
		"sharp", "silent", "silver", "smart", "smooth", "snug", "sober", "sound", "spry", "steady",
		"stout", "sunny", "sure", "swift", "tidy", "trim", "true", "upbeat", "vivid", "warm",
		"wise", "witty", "young", "zesty",
	}
	surnames = []string{
		"amundsen", "babbage", "backus", "banks", "baran", "bartik", "beaufort", "bernerslee", "boole", "bowditch",
		"brunel", "cabot", "cerf", "chang", "church", "clarke", "cook", "cousteau", "darwin", "dijkstra",
		"drake", "earle", "eckert", "engelbart", "erikson", "ferguson", "franklin", "fulton", "galileo", "gama",
		"germain", "goldberg", "granville", "halley", "hamilton", "hamming", "harrison", "herschel", "hoare", "holberton",
		"hopper", "hudson", "humboldt", "iverson", "johnson", "kahn", "kay", "kepler", "kernighan", "kilburn",
		"knuth", "lamarr", "lamport", "leibniz", "liskov", "lovelace", "magellan", "mauchly", "maury", "mccarthy",
		"mcnulty", "mercator", "milner", "moore", "nansen", "napier", "naur", "newell", "noether", "ohm",
		"pascal", "perlman", "polo", "postel", "ptolemy", "ritchie", "robinson", "ross", "sammet", "scott",
		"shackleton", "shannon", "slocum", "spence", "stibitz", "sutherland", "tasman", "tharp", "thompson", "torvalds",
		"turing", "vaughan", "vespucci", "watt", "wilkes", "wilkins", "wirth", "zheng", "zuse",
	}
)
