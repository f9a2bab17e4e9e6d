from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("models_runtime", "0002_auditevent_append_only"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="keeps_progress",
            field=models.BooleanField(default=False),
        ),
    ]
