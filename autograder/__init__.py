"""What hidden tests import: references and checks; never released, never in a student's room."""
