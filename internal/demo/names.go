package demo

// culture is where a person's name, street and town come from. Every name is common where it comes from;
// put together at random they mean nobody.
type culture struct {
	given, family []string
	streets       []string
	// towns are "post code town", fictitious post codes among them.
	towns   []string
	country string
	// weight is how many of a hundred customers come from it.
	weight int
}

// cultures are those that customers of both service providers come from.
func cultures() []culture {
	return []culture{
		{
			given:   words("Camille Louis Manon Hugo Chloé Jules Léa Arthur Inès Gabriel Zoé Raphaël Élise Antoine Margaux Théo"),
			family:  words("Martin Bernard Dubois Moreau Laurent Lefèvre Garnier Rousseau Fontaine Chevalier Perrin Mercier Blanchard Lemoine"),
			streets: []string{"rue des Lilas", "avenue de la Gare", "place du Marché", "rue Haute", "quai des Moulins", "chemin Vert"},
			towns:   []string{"01000 Belleville", "02000 Montclair", "03000 Rochefleur", "04000 Saint-Aubin"}, country: "FR", weight: 26,
		},
		{
			given:   words("Oliver Amelia George Isla Harry Ava Noah Freya Arthur Ivy Oscar Florence Alfie Evie Archie Rosie"),
			family:  words("Smith Taylor Walker Wright Robinson Thompson Clarke Hughes Edwards Baker Turner Cooper Ward Bennett"),
			streets: []string{"Station Road", "Mill Lane", "Church Street", "Orchard Close", "Kings Avenue", "The Green"},
			towns:   []string{"AB1 2CD Fairbourne", "EF3 4GH Westhaven", "JK5 6LM Oakminster", "NP7 8QR Stonebridge"}, country: "GB", weight: 26,
		},
		{
			given:   words("Lukas Anna Felix Lena Jonas Marie Paul Clara Emil Greta Moritz Johanna Anton Frieda"),
			family:  words("Müller Schneider Fischer Weber Wagner Becker Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann"),
			streets: []string{"Bahnhofstraße", "Lindenweg", "Am Markt", "Gartenstraße", "Mühlgasse", "Schillerstraße"},
			towns:   []string{"11111 Neustadt", "22222 Altkirch", "33333 Rosenfeld", "44444 Bergheim"}, country: "DE", weight: 14,
		},
		{
			given:   words("Lucía Mateo Sofía Hugo Martina Leo Valeria Daniel Carmen Alejandro Elena Pablo"),
			family:  words("García Fernández López Martínez Sánchez Pérez Gómez Ruiz Díaz Moreno Álvarez Romero"),
			streets: []string{"calle Mayor", "calle del Sol", "avenida de la Paz", "plaza Nueva", "calle Ancha"},
			towns:   []string{"50100 Villaclara", "50200 Puentealto", "50300 Riofrío"}, country: "ES", weight: 10,
		},
		{
			given:   words("Aarav Ananya Vihaan Diya Arjun Isha Kabir Meera Rohan Priya Ishaan Kavya"),
			family:  words("Sharma Patel Singh Gupta Reddy Iyer Nair Desai Mehta Banerjee Chowdhury Rao"),
			streets: []string{"Station Road", "Park Street", "Temple Lane", "Garden View", "Lake Road"},
			towns:   []string{"EF3 4GH Westhaven", "02000 Montclair"}, country: "GB", weight: 8,
		},
		{
			given:   words("Amara Kwame Zainab Tunde Ngozi Kofi Adaeze Sefu Imani Chidi Abena Jelani"),
			family:  words("Okafor Mensah Adeyemi Boateng Diallo Mwangi Abiola Owusu Traoré Kamau Nkosi Eze"),
			streets: []string{"rue Haute", "Mill Lane", "Kings Avenue", "quai des Moulins"},
			towns:   []string{"NP7 8QR Stonebridge", "03000 Rochefleur"}, country: "FR", weight: 8,
		},
		{
			given:   words("Zofia Jakub Hanna Antoni Maja Filip Oksana Dmytro Milena Petr Tereza Andrei"),
			family:  words("Kowalski Nowak Wiśniewska Kovalenko Shevchenko Novotný Svoboda Popescu Ionescu Horvat"),
			streets: []string{"Lindenweg", "Orchard Close", "rue des Lilas", "Am Markt"},
			towns:   []string{"33333 Rosenfeld", "JK5 6LM Oakminster"}, country: "DE", weight: 5,
		},
		{
			given:   words("Yuki Haruto Mei Wei Jia Minh Linh Hana Ren Sakura Jun Thuy"),
			family:  words("Tanaka Suzuki Chen Wang Nguyen Tran Kim Park Sato Liu Zhang Le"),
			streets: []string{"Church Street", "place du Marché", "The Green", "avenue de la Gare"},
			towns:   []string{"AB1 2CD Fairbourne", "01000 Belleville"}, country: "GB", weight: 3,
		},
	}
}

// trades and forms make the names of organizations.
func trades() []string {
	return []string{"Bakery", "Cycles", "Architects", "Garage", "Print Shop", "Physiotherapy", "Gardens", "Joinery", "Travel", "Opticians", "Logistics", "Music School"}
}

func places() []string {
	return []string{"Riverside", "Old Mill", "Northgate", "Harbour", "Sunny Hill", "Market Square", "Bluebell", "Three Oaks", "Lakeside", "Crossroads"}
}
