package demo

// culture is where a person's name, street and town come from. Every name is common where it comes from;
// put together at random they mean nobody.
type culture struct {
	given, family []string
	streets       []string
	// towns are "country/post code/town", all of them invented.
	towns []string
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
			towns:   []string{"FR/01000/Belleville", "FR/02000/Montclair", "FR/03000/Rochefleur", "FR/04000/Saint-Aubin"}, weight: 26,
		},
		{
			given:   words("Oliver Amelia George Isla Harry Ava Noah Freya Arthur Ivy Oscar Florence Alfie Evie Archie Rosie"),
			family:  words("Smith Taylor Walker Wright Robinson Thompson Clarke Hughes Edwards Baker Turner Cooper Ward Bennett"),
			streets: []string{"Station Road", "Mill Lane", "Church Street", "Orchard Close", "Kings Avenue", "The Green"},
			towns:   []string{"GB/AB1 2CD/Fairbourne", "GB/EF3 4GH/Westhaven", "GB/JK5 6LM/Oakminster", "GB/NP7 8QR/Stonebridge"}, weight: 26,
		},
		{
			given:   words("Lukas Anna Felix Lena Jonas Marie Paul Clara Emil Greta Moritz Johanna Anton Frieda"),
			family:  words("Müller Schneider Fischer Weber Wagner Becker Schäfer Koch Bauer Richter Klein Wolf Schröder Neumann"),
			streets: []string{"Bahnhofstraße", "Lindenweg", "Am Markt", "Gartenstraße", "Mühlgasse", "Schillerstraße"},
			towns:   []string{"DE/11111/Neustadt", "DE/22222/Altkirch", "DE/33333/Rosenfeld", "DE/44444/Bergheim"}, weight: 14,
		},
		{
			given:   words("Lucía Mateo Sofía Hugo Martina Leo Valeria Daniel Carmen Alejandro Elena Pablo"),
			family:  words("García Fernández López Martínez Sánchez Pérez Gómez Ruiz Díaz Moreno Álvarez Romero"),
			streets: []string{"calle Mayor", "calle del Sol", "avenida de la Paz", "plaza Nueva", "calle Ancha"},
			towns:   []string{"ES/50100/Villaclara", "ES/50200/Puentealto", "ES/50300/Riofrío"}, weight: 10,
		},
		{
			given:   words("Aarav Ananya Vihaan Diya Arjun Isha Kabir Meera Rohan Priya Ishaan Kavya"),
			family:  words("Sharma Patel Singh Gupta Reddy Iyer Nair Desai Mehta Banerjee Chowdhury Rao"),
			streets: []string{"Station Road", "Park Street", "Temple Lane", "Garden View", "Lake Road"},
			towns:   []string{"GB/EF3 4GH/Westhaven", "FR/02000/Montclair"}, weight: 8,
		},
		{
			given:   words("Amara Kwame Zainab Tunde Ngozi Kofi Adaeze Sefu Imani Chidi Abena Jelani"),
			family:  words("Okafor Mensah Adeyemi Boateng Diallo Mwangi Abiola Owusu Traoré Kamau Nkosi Eze"),
			streets: []string{"rue Haute", "Mill Lane", "Kings Avenue", "quai des Moulins"},
			towns:   []string{"GB/NP7 8QR/Stonebridge", "FR/03000/Rochefleur"}, weight: 8,
		},
		{
			given:   words("Zofia Jakub Hanna Antoni Maja Filip Oksana Dmytro Milena Petr Tereza Andrei"),
			family:  words("Kowalski Nowak Wiśniewska Kovalenko Shevchenko Novotný Svoboda Popescu Ionescu Horvat"),
			streets: []string{"Lindenweg", "Orchard Close", "rue des Lilas", "Am Markt"},
			towns:   []string{"DE/33333/Rosenfeld", "GB/JK5 6LM/Oakminster"}, weight: 5,
		},
		{
			given:   words("Yuki Haruto Mei Wei Jia Minh Linh Hana Ren Sakura Jun Thuy"),
			family:  words("Tanaka Suzuki Chen Wang Nguyen Tran Kim Park Sato Liu Zhang Le"),
			streets: []string{"Church Street", "place du Marché", "The Green", "avenue de la Gare"},
			towns:   []string{"GB/AB1 2CD/Fairbourne", "FR/01000/Belleville"}, weight: 3,
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
